import com.pixelmed.validate.DicomSRValidator;
import java.io.BufferedReader;
import java.io.InputStreamReader;

/** PixelMed's own program takes one report and seconds to start; this one takes a path per line, and goes on. */
class ValidateReports {
    public static void main(String[] none) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        BufferedReader paths = new BufferedReader(new InputStreamReader(System.in));
        for (String path = paths.readLine(); path != null; path = paths.readLine()) {
            System.out.println(validator.validate(path));
            System.out.println("END " + path);
        }
    }
}
